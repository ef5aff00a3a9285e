"""Values moved, enlarged, scaled, reduced, gathered or written out: layers of no one subject."""
