"""What type checkers and editors know of the messages; there is no module of this name when a program runs."""
