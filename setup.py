"""Package metadata. Version ranges stand here; the exact pins of the two set-up commands are in tools/constraints.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
INIT = (HERE / "caffe_compat" / "__init__.py").read_text(encoding="utf-8")

EXTRAS = {
    "images": ["opencv-python-headless>=4.8"],
    "gpu": ["nvidia-ml-py>=12.535"],  # only to see how busy a GPU is
    "hdf5": ["h5py>=3.10"],
    "leveldb": ["cramjam>=2.9", "crc32c>=2.4"],
    "plot": ["matplotlib>=3.8"],
    "matlab": ["scipy>=1.11"],  # MatWrite's files
    "pycaffe": ["scipy>=1.11"],  # only to resize with interp_order above 1
    "onnx": ["onnxruntime>=1.18"],  # only to run what is exported
}
EXTRAS["all"] = sorted({requirement for extra in EXTRAS.values() for requirement in extra})
EXTRAS["test"] = [
    *EXTRAS["all"],
    "hypothesis>=6.100",
    "mypy>=1.10",
    "pytest>=8.2",
    "pytest-xdist>=3.6",
    "ruff>=0.6",
]

setup(
    name="caffe-compat",
    version=re.search(r'^__version__ = "(.+)"', INIT, re.MULTILINE)[1],
    description="Runs Caffe's net and solver files unchanged on PyTorch",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="BSD-2-Clause",
    license_files=["LICENSE"],
    classifiers=["Operating System :: POSIX"],
    python_requires=">=3.10",
    packages=find_packages(include=["caffe_compat", "caffe_compat.*"]),
    package_data={"caffe_compat": ["**/*.proto", "**/*.pyi", "py.typed"]},
    install_requires=[
        "lmdb>=1.4",
        "numpy>=2,<3",
        "onnx>=1.16",
        "protobuf>=4.25,<8",
        "torch>=2.6,<3",
        "tqdm>=4.66",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["caffe-compat = caffe_compat.cli:main"]},
)
