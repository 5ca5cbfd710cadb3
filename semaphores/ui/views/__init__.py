"""Views: what each page shows, one file each: a function of the desk and of what is asked. They only read."""
