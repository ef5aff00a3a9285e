"""Nets that label every pixel: DeepLab, PSPNet, SegNet, CRF-RNN, segaware, AttentionMask, MNC."""
