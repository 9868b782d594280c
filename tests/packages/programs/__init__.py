"""Programs that do real work with one package each; ``programs NAME ARGUMENT…`` runs one of them."""
