"""What every other room needs: targets, this machine, folders, files written whole, hashes, declared settings."""
