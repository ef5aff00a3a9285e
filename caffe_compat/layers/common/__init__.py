"""What several layers share: none of these files is a layer."""
