"""`python -m caffe_compat` is `caffe-compat`."""

import os
import sys

if __name__ == "__main__":
    # Python has put the working folder first, where any file may have the name of a module.
    if sys.path and sys.path[0] in ("", os.getcwd()) and not getattr(sys.flags, "safe_path", False):
        del sys.path[0]
    from caffe_compat.cli import main

    sys.exit(main())
