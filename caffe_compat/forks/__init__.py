"""What Caffe's forks add, in rooms by family; `layers.registry` loads them when a file names such a type."""
