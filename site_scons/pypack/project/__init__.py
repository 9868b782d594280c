"""What the user has: settings, entry points, the app's files, what it imports."""
