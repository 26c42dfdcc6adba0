"""Dispatch and bookkeeping: no authority, no key, no money; everything it knows can be deleted and
rebuilt.
"""
