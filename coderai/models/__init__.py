"""What is known about a model and how it is asked. Pure: values in, values out.

``options`` is the table of everything that can be set; the JSON schema, the checks and the command line follow from it.
``request.build_request`` turns a model and messages into the body its provider wants, ``choosing`` says which model is
meant. None of this touches relayed traffic.
"""
