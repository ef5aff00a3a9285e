"""`caffe-compat device-query`: what PyTorch knows of the GPUs here, in Caffe's lines."""

import argparse

HELP = "show the properties of the GPUs here"

# Caffe's label -> the attribute of torch.cuda.get_device_properties
_PROPERTIES = {
    "Major revision number": "major",
    "Minor revision number": "minor",
    "Name": "name",
    "Total global memory": "total_memory",
    "Total shared memory per block": "shared_memory_per_block",
    "Total registers per multiprocessor": "regs_per_multiprocessor",
    "Warp size": "warp_size",
    "Clock rate": "clock_rate",
    "Number of multiprocessors": "multi_processor_count",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gpu", default="all", metavar="IDS", help="device ids such as 0 or 0,1 (default: all)"
    )


def run(args: argparse.Namespace) -> int:
    import torch

    from caffe_compat.cli.devices import count_devices, existing
    from caffe_compat.log.commands import CommandLog

    log = CommandLog()
    log.querying(args.gpu)
    if args.gpu == "all":
        count, why = count_devices()
        if not count:
            log.info(f"No cuda device present{why}.")
            return 0
    for device in existing(args.gpu):
        known = torch.cuda.get_device_properties(device)
        # An older torch, or one for other GPUs, does not tell all of them.
        found = {label: getattr(known, name) for label, name in _PROPERTIES.items() if hasattr(known, name)}
        log.device_properties(device, found)
    return 0
