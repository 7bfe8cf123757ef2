"""The loader of YAML files: libyaml's, ten times as fast, where PyYAML was built with it."""

from typing import Any

import yaml

SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
