"""The training arithmetic: values in, values out; no clock, no sockets, no global randomness.

Modules that need only numpy (``models``, ``shards``, ``codec``, ``aggregate`` and its parts, ``optimizer``,
``checkpoint``, ``rounds``, ``tolerance``, ``data``, ``ingest``) never import torch, so a process that only
checks hashes stays small. ``forward``, ``step``, ``replay``, ``evaluate`` and ``centralized`` do.
"""
