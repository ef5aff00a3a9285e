"""SSD: single-shot detection, and the layers and records that came with it."""
