"""`python -m caffe_compat` is `caffe-compat`."""

import sys

from caffe_compat.cli import main

if __name__ == "__main__":
    sys.exit(main())
