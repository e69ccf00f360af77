"""The commands of ``python -m influence_core``, one module each: ``add`` declares its options, ``run`` answers."""
