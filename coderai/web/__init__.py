"""The pages: server-rendered HTML over the documented API, with the reader's own token.

Nothing here knows the database: a page shows what the API answers its reader, and changes things as he would by it.
"""
