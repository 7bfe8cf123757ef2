"""What the functions of this package take and give."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Counts = NDArray[Any]  # of customers, who may be weighted
Numbers = NDArray[Any] | float  # one, or an array that broadcasts
