"""LocalStack plugins for a machine without a container engine.

Needs no installation: with this package's parent folder on PYTHONPATH, LocalStack finds the plugins by the
entry points in the kindred_localstack-*.dist-info folder beside it. plugin.py says how each is switched on.
"""
