"""YOLO and DetectNet: detectors over a grid of cells."""
