"""Coarse, sparse and fast weights: binary, ternary, Ristretto, SkimCaffe, Winograd."""
