"""The command line: one file a group of verbs; each command imports its room when it runs.

A box with the gateway extra alone therefore runs `sakugen gateway` and `sakugen config check` without the server's
libraries.
"""
