"""A small real shop that tells Flipscope what it does, and the people who use it.

It knows Flipscope from outside only: the HTTP contract, `manage.py up` and `manage.py bootstrap`.
"""
