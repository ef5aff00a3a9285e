"""What the C library does with the memory of blobs that are no longer needed."""

import ctypes


def keep_freed_memory() -> None:
    """Let the C library keep the memory of freed blobs for the next iteration's.

    glibc gives large blocks back to the system at once, and every iteration would fetch them again page by
    page: about a tenth of a CPU training step. Other C libraries have no such call and are left alone.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    trim_threshold, mmap_threshold = -1, -3  # from malloc.h
    if not mallopt(mmap_threshold, 1 << 30):
        mallopt(mmap_threshold, 32 << 20)  # older ones take no more
    mallopt(trim_threshold, (1 << 31) - 1)
