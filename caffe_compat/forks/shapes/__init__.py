"""Values moved, enlarged, added or written out: layers of no one subject."""
