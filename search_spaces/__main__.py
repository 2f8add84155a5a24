"""Print what can be searched of each method and over which range: `python -m search_spaces`."""

from search_spaces.describe import table

if __name__ == "__main__":
    print(table())
