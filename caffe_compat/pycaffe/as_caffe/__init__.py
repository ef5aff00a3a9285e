"""A folder for sys.path: what `import caffe` finds in the processes that a script starts."""
