"""What forks add to training and to the reading of data: fields of solvers, transformations and precision."""
