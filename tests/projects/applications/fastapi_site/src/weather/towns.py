import csv
from importlib.resources import files


def read_towns() -> dict[str, float]:
    with (files("weather") / "towns.csv").open(encoding="utf-8") as file:
        return {row["town"]: float(row["celsius"]) for row in csv.DictReader(file)}
