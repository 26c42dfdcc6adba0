"""``pot experiment``: measurements that anybody can repeat, written as data and a page."""
