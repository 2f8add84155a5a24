# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What did the search find?
#
# The answer first, then the space under the budget, what mattered in it, and what was had for what was spent.

# %%
from analysis.notebooks.show import open_results, show_answer, show_figure, show_table

RESULTS = "results"
folder = open_results(RESULTS)

# %%
show_answer(folder)

# %%
show_figure("space", folder)

# %%
show_figure("parallel", folder)

# %%
show_figure("race", folder)

# %%
show_figure("marginal", folder)

# %%
show_figure("importance", folder)

# %%
show_figure("pareto", folder)

# %%
show_figure("anytime", folder)

# %%
show_figure("rungs", folder)

# %%
show_table("cost", folder)
