"""What a build does, without SCons: steps with their cache keys, the step cache, and the producer."""
