"""Actions: what the forms of the page do, one function each. All of them pass `dispatch`, which checks the form."""
