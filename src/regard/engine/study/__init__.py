"""The same question to many recordings: worked on at once, resumed, and told in one table and on one page."""
