"""The pages of docs/reference/, each made from one declaration of the code."""
