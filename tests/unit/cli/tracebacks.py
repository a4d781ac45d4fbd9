"""Texts of failures, as tasks give them."""

MESSAGE = """2 attempts failed, the last one with: Traceback (most recent call last):
  File "/srv/me/shop.py", line 41, in fails
    return broken(a)
           ^^^^^^^^^
  File "/srv/me/shop.py", line 44, in broken
    raise ValueError(f"no {a} today")
ValueError: no 4 today
in task 'shop.fails' (shop.py:40)
"""
CHAINED = """Traceback (most recent call last):
  File "/srv/me/a.py", line 1, in f
    g()
KeyError: 'x'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/me/b.py", line 2, in h
    f()
RuntimeError: cannot go on
"""
