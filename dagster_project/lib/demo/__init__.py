"""A synthetic shop of any size, with the truth about it written beside its files."""

from dagster_project.lib.demo.shop import ShopSummary, write_shop

__all__ = ["ShopSummary", "write_shop"]
