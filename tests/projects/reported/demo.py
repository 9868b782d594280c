"""The program of a bundle that a report is made of."""

print("demo")
