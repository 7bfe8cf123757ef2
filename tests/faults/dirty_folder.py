"""A landing folder in which most files have something wrong with them."""

import gzip
from pathlib import Path

HEADER = "order_id,customer_id,campaign,merchandise_amount,ordered_at\n"

# File -> what its held reason says beside the file's name.
HELD = {
    "customers_twice.csv": (
        "has the column 'email' twice",
        "columns found: 'customer_id', 'email', 'country_code', 'email'",
    ),
    "order_lines.csv": (
        "lacks the required column quantity",
        "columns found: 'order_id', 'line_number', 'pieces', 'unit_price'",
    ),
    "orders_empty.csv": ("is empty",),
    "orders_latin1.csv": ("line 3", "UTF-8"),
    "orders_link.csv": ("is a link",),
    "orders_quote.csv": ("a quote opened at line 4", "never closes"),
    "orders_truncated.csv.gz": ("truncated gzip",),
}
# (file, line, column, part of the reason) of every record that is rejected.
REJECTED = [
    ("orders_comma.csv", 3, "merchandise_amount", "not '1.234,56'"),
    ("orders_comma.csv", 5, "merchandise_amount", "not '2.000,00'"),
]
LOADED = {"orders_comma.csv": 2, "orders_good.csv": 3, "refunds.csv": 1}
ORDER_IDS = ["c1", "c3", "g1", "g2", "g3"]


def write_dirty_folder(landing: Path) -> Path:
    """Files of the connector `files`: 6 records are good, in 3 files."""
    landing.mkdir(parents=True)

    def orders(prefix: str, amounts: list[str], campaign: str = "spring") -> str:
        return HEADER + "".join(
            f'{prefix}{number},k{number},{campaign},"{amount}",2025-03-0{number} 10:00:00\n'
            for number, amount in enumerate(amounts, 1)
        )

    good = orders("g", ["10.00", "20.50", "30"])
    (landing / "orders_good.csv").write_text(good)
    (landing / "refunds.csv").write_text(
        "refund_id,order_id,amount,refunded_at\nr1,g2,0.50,2025-03-03 08:00:00\n"
    )
    quoted = orders("q", ["1.00", "2.00"]) + 'q3,k3,"summer,3.00,2025-03-03 10:00:00\n'
    quoted += "q4,k4,spring,4.00,2025-03-04 10:00:00\n"
    (landing / "orders_quote.csv").write_text(quoted)
    (landing / "orders_comma.csv").write_text(orders("c", ["5.00", "1.234,56", "6.00", "2.000,00"]))
    latin = orders("l", ["7.00", "8.00"]).replace("l2,k2,spring", "l2,k2,früh")
    (landing / "orders_latin1.csv").write_bytes(latin.encode("latin-1"))
    packed = gzip.compress(orders("t", ["9.00"] * 9).encode())
    (landing / "orders_truncated.csv.gz").write_bytes(packed[:-12])
    (landing / "customers_twice.csv").write_text(
        "customer_id,email,country_code,email\nk1,a@example.com,DE,b@example.com\n"
    )
    (landing / "order_lines.csv").write_text(
        "order_id,line_number,pieces,unit_price\ng1,1,1,10.00\n"
    )
    (landing / "orders_empty.csv").touch()
    elsewhere = landing.parent / "elsewhere.csv"
    elsewhere.write_text(orders("s", ["99.00"]))
    (landing / "orders_link.csv").symlink_to(elsewhere)
    (landing / "notes.txt").write_text("not a table")
    return landing
