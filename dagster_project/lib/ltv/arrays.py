"""What the functions of this package take and give."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Numbers = NDArray[Any] | float  # one, or an array that broadcasts
