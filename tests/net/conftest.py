"""A batch for the small net."""

import pytest
import torch


@pytest.fixture
def batch():
    random = torch.Generator().manual_seed(2)
    return torch.rand(6, 1, 9, 8, generator=random), torch.randint(5, (6,), generator=random)
