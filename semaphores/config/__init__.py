"""Configuration: the file that says which limits there shall be, in the published YAML format and a little beyond it.

Here it is read (`read`), held (`settings`) and compared with what is in force (`difference`); nothing talks to a
server. Importing this package alone costs nothing: who reads no file never pays for pydantic.
"""
