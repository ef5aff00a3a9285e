"""What layers of several rooms share: none of these files is a layer."""
