"""Where batches come from: record sources, pictures, Caffe's transformation, and ready-made data sets."""
