"""The code of each kind of fault, what it means, and how it is mended: the one table of them.

E0 is text that is no TOML, E1 what the form of a kind does not have, E2 what a name leads to, E3 keys that make no sense
together, E4 what the files hold. A code keeps its meaning; one that is not used any more is not given again.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """A kind of fault: what it is, how to mend it, and an example of both."""

    what: str
    mend: str
    wrong: str
    right: str


CODES: dict[str, Code] = {
    "E001": Code(
        "The line is no TOML, and no slip is known that explains it.",
        "Write key = value, or a [table]. A value is a number, a text in quotes, true, false, a [list] or a { table }.",
        "iterations 4 times",
        "iterations = 4",
    ),
    "E002": Code(
        "The file is not UTF-8 text.", "Save it as UTF-8 in your editor.", "title = “é” in Latin-1", 'title = "é"'
    ),
    "E003": Code(
        "The text is larger, nested deeper, or has longer keys or numbers than any project needs.",
        "Look whether the right file was named; put long lists into a file that the project names.",
        "seed = 99999999999999999999",
        "seed = 1",
    ),
    "E004": Code(
        "A key is there twice in one table.", "Remove one of both.", "workers = 1\nworkers = 2", "workers = 2"
    ),
    "E005": Code(
        "A table is there twice, or a name is used as a table and as something else.",
        "Join the tables; of several, as rounds are, write [[name]] each time.",
        "[rounds]\n[[rounds]]",
        "[[rounds]]\n[[rounds]]",
    ),
    "E006": Code(
        "A key and its value are joined by another mark than one =.", "Write =.", "iterations: 4", "iterations = 4"
    ),
    "E007": Code(
        "Quotes as a text processor makes them.", "Write straight quotes.", "title = “first”", 'title = "first"'
    ),
    "E008": Code(
        "A text in quotes does not end.",
        "Write the second quote, the same as the first, in the same line.",
        'title = "first',
        'title = "first"',
    ),
    "E009": Code(
        r"A \ in double quotes begins a letter of its own, such as \n.",
        "Write / in paths, or take single quotes.",
        r'table = "tables\picked.tbl"',
        'table = "tables/picked.tbl"',
    ),
    "E010": Code(
        "A list as MATLAB writes it: spaces or semicolons between the numbers, or a ' behind it.",
        "Separate the numbers by commas, and remove the '.",
        "limits_xyz_px = [4 4 4]",
        "limits_xyz_px = [4, 4, 4]",
    ),
    "E011": Code(
        "A value of another language: True, yes, None, NaN, 360/2, 1:4.",
        "Write true or false in small letters, and the number that comes out; leave out what has no value.",
        "reject_from_alignment = True",
        "reject_from_alignment = true",
    ),
    "E012": Code("A decimal comma.", "Write a point.", "pixel_size_A = 1,35", "pixel_size_A = 1.35"),
    "E013": Code("A number begins or ends with its point.", "Write digits on both sides.", "value = .9", "value = 0.9"),
    "E014": Code("A list has no brackets, or round ones.", "Write square brackets.", "gpus = 0, 1", "gpus = [0, 1]"),
    "E015": Code(
        "A unit stands behind a number.",
        "Remove it: the unit is the last word of the key.",
        "pixel_size_A = 1.35 A",
        "pixel_size_A = 1.35",
    ),
    "E016": Code("A key has no value.", "Write one, or put # before the key.", "workers =", "workers = 2"),
    "E017": Code(
        "A text stands without quotes.",
        "Write quotes around names, paths and addresses.",
        "table = pr_1:table",
        'table = "pr_1:table"',
    ),
    "E018": Code("A key is not followed by =.", "Write =.", "iterations 4", "iterations = 4"),
    "E019": Code(
        "A list, a { table } or a [header] is not closed, or not written as one. A { table } must stay on one line.",
        "Count the brackets; write a long { table } as a [table] of its own.",
        "[[rounds]",
        "[[rounds]]",
    ),
    "E020": Code(
        "A mark or a command of another language or program: % or // for a comment, ; at the end, a dash, a no-break space.",
        "Write # for comments, and nothing at the end of a line.",
        "iterations = 4; % few",
        "iterations = 4  # few",
    ),
    "E021": Code(
        "Something follows a value.",
        "Write one key and one value to a line.",
        "workers = 2 chunk = 8",
        "workers = 2\nchunk = 8",
    ),
    "E022": Code(
        "A comma is missing in a list or { table }, or there is one too many.",
        "One comma between two of them; none behind the last key of a { table }.",
        "cone = { range_deg = 20 step_deg = 5 }",
        "cone = { range_deg = 20, step_deg = 5 }",
    ),
    "E023": Code(
        "The name of a key has a space in it, or a letter that no key has.",
        "Names of keys have letters a to z, digits and _.",
        "pixel size_A = 1.35",
        "pixel_size_A = 1.35",
    ),
    "E024": Code(
        "A number with a 0 in front, or with a dash that is no minus sign.",
        "Write the digits alone, and - for minus.",
        "number = 01",
        "number = 1",
    ),
    "E101": Code(
        "The table has no such key.",
        "Take the key that is proposed; engine explain KEY tells what a key means, also by Dynamo's names.",
        'tabel = "pr_1:table"',
        'table = "pr_1:table"',
    ),
    "E102": Code(
        "A key that has no default is missing.",
        "Write it; engine new KIND NAME shows all keys.",
        'mask = { shape = "sphere" }',
        'mask = { shape = "sphere", radius_A = 60 }',
    ),
    "E103": Code(
        "A table that the kind needs is missing.",
        "Write its [header] and the keys that it needs.",
        'kind = "alignment"',
        'kind = "alignment"\n[data]\nparticles = "crop_1:particles"\ntable = "crop_1:table"',
    ),
    "E104": Code(
        "kind is missing, or names no kind that there is.",
        "Write it as the first line.",
        'kind = "aligment"',
        'kind = "alignment"',
    ),
    "E105": Code("The value must be a text.", "Write it in quotes.", "title = 3", 'title = "3"'),
    "E106": Code(
        "The value must be a number, or a whole one.",
        "Remove quotes and units; write counts without a point.",
        'iterations = "4"',
        "iterations = 4",
    ),
    "E107": Code(
        "The value must be true or false.",
        "Write it without quotes.",
        'swap_references = "true"',
        "swap_references = true",
    ),
    "E108": Code(
        "The value must be a list.", "Write it in square brackets.", "limits_xyz_px = 4", "limits_xyz_px = [4, 4, 4]"
    ),
    "E109": Code("The value must be a table.", "Write it in { }.", "cone = 20", "cone = { range_deg = 20 }"),
    "E110": Code(
        "A table that can be there several times has single brackets.", "Write two.", "[rounds]", "[[rounds]]"
    ),
    "E111": Code(
        "The value is none of the choices.", "Take one of those listed.", 'search = "quick"', 'search = "fast"'
    ),
    "E112": Code(
        "The number lies outside of what is possible.",
        "Look at the bounds in the message, and at the unit in the key's name.",
        "range_deg = 400",
        "range_deg = 360",
    ),
    "E113": Code(
        "The list has too few or too many numbers.",
        "Three for x, y, z; two for the lowest and the highest.",
        "limits_xyz_px = [4, 4]",
        "limits_xyz_px = [4, 4, 4]",
    ),
    "E114": Code(
        "A name is empty.", "Name a file or an address, or leave the key out.", 'table = ""', 'table = "pr_1:table"'
    ),
    "E116": Code(
        "Keys of one table exclude each other, or one of several must be given; or the text has a form that it must not have.",
        "Keep one of those named in the message, or give it.",
        "bandpass = { lowpass_fpx = 8, lowpass_A = 20 }",
        "bandpass = { lowpass_A = 20 }",
    ),
    "E117": Code(
        "The file has a name that cannot be a project's.",
        "Letters, digits, _, - and points, and .toml at its end.",
        "pr 1.toml",
        "pr_1.toml",
    ),
    "E118": Code(
        "The value has a form that the key does not take.",
        "engine explain KEY tells what it takes.",
        "gpus = { first = 0 }",
        "gpus = [0]",
    ),
    "E201": Code(
        "There is no such file, or it cannot be opened.",
        "Paths are relative to the folder of the project's file.",
        'table = "tabels/picked.tbl"',
        'table = "tables/picked.tbl"',
    ),
    "E202": Code(
        "A folder or a device is named where a file is needed.",
        "Name a file in it.",
        'template = "maps"',
        'template = "maps/first.mrc"',
    ),
    "E203": Code(
        "A path with a drive's letter.",
        "Name the file relative to the project's file, with /.",
        "table = 'C:\\data\\picked.tbl'",
        'table = "../data/picked.tbl"',
    ),
    "E204": Code(
        "An address that cannot be read, or that leads to no project, item or iteration.",
        "PROJECT:ITEM:KEY=VALUE, of a project in the same folder; engine query PROJECT lists its items.",
        'template = "pr_1:averag"',
        'template = "pr_1:average"',
    ),
    "E205": Code(
        "An address names several results where one is needed.",
        "Say which: ite, ref, half or tomo.",
        'template = "pr_1:average:ite=*"',
        'template = "pr_1:average:ite=last"',
    ),
    "E206": Code(
        "An address names a result of another sort than the key takes.",
        "Name the item that the message proposes.",
        'template = "pr_1:table"',
        'template = "pr_1:average"',
    ),
    "E207": Code(
        "A project reads its own result, or several read each other's in a circle.",
        "Take one address out, or make a further project.",
        'template = "pr_1:average" in pr_1.toml',
        'template = "pr_0:average"',
    ),
    "E208": Code(
        "A project that this one reads has faults.",
        "engine check on that project.",
        'table = "faulty:table"',
        'table = "mended:table"',
    ),
    "E209": Code(
        "What the project names, such as a list, cannot be read, or its steps cannot be told.",
        "The message says what is missing.",
        'list = "tomograms.start"',
        'list = "tomograms.star"',
    ),
    "E210": Code(
        "A hook names no function that can be called after an iteration.",
        'Write "module:function", with module.py beside the project and a function of (average, table, at).',
        'after_iteration = "mine"',
        'after_iteration = "mine:mask_core"',
    ),
    "E211": Code(
        "A file is there, and is not what it is named for.",
        "Name another file; formats are told by the ending.",
        'template = "table.tbl"',
        'template = "map.mrc"',
    ),
    "E212": Code(
        "Where the results of a project belong stands a file, or a link that leads nowhere or to another project's results.",
        "Move the file away, mount the disk that the link leads to, or remove the link.",
        "pr_2 is a link to pr_1",
        "pr_2 is a folder, or not there",
    ),
    "E301": Code(
        "Keys that do not go together: each is right alone.",
        "Change one of them; the message names both.",
        'search = "global"\ncone = { range_deg = 40 }',
        'search = "global"',
    ),
    "E302": Code(
        "A key has no meaning here: what it belongs to is not there.",
        "Remove it, or give what it belongs to.",
        'swap_by = "other-half"',
        'swap_references = true\nswap_by = "other-half"',
    ),
    "E303": Code(
        "Something is needed that another key asks for.",
        "Give it, or remove the key.",
        'masks.fourier = "fmask.mrc" without data.template',
        'data.template = "maps/first.mrc"',
    ),
    "E304": Code(
        "A length in A, and no pixel size is known.",
        "Set pixel_size_A, or give the length in px or Fourier px.",
        "lowpass_A = 20",
        "lowpass_fpx = 16",
    ),
    "E305": Code(
        "A resolution beyond Nyquist: finer than two pixels.",
        "At most half the box in Fourier px; at least two pixels in A.",
        "lowpass_fpx = 30 in a box of 48 px",
        "lowpass_fpx = 24",
    ),
    "E306": Code(
        "The band between high-pass and low-pass is empty.",
        "In Fourier px the low-pass is the larger number, in A the smaller one.",
        "bandpass = { highpass_fpx = 9, lowpass_fpx = 8 }",
        "bandpass = { highpass_fpx = 2, lowpass_fpx = 8 }",
    ),
    "E307": Code(
        "Two numbers that are no range.",
        "The lesser first.",
        "tilt_range_deg = [60, -60]",
        "tilt_range_deg = [-60, 60]",
    ),
    "E308": Code(
        "The step of a search is coarser than half its range: nothing new would be tried.",
        "Make the step smaller; range_deg = 0 leaves the search out.",
        "cone = { range_deg = 8, step_deg = 5 }",
        "cone = { range_deg = 8, step_deg = 2 }",
    ),
    "E309": Code(
        "Something is larger than what must hold it: a box, a tomogram, a map.",
        "Make it smaller, or the box larger; look at the unit.",
        "limits_xyz_px = [40, 40, 40] in a box of 48 px",
        "limits_xyz_px = [10, 10, 10]",
    ),
    "E310": Code(
        "A mask or shape that has no extent: nothing is left of it.",
        "Move it, or make it larger.",
        'shape = "shell", radius_px = 8, thickness_px = 16',
        'shape = "shell", radius_px = 8, thickness_px = 4',
    ),
    "E311": Code(
        "The same number, name or file twice where each must be its own.",
        "Change one of them.",
        "numbers = [3, 3]",
        "numbers = [3, 4]",
    ),
    "E312": Code(
        "Two lists that belong together have different lengths, or a number contradicts a list.",
        "One for each, in the same order.",
        'maps = ["a.mrc", "b.mrc"]\nnumbers = [1]',
        'maps = ["a.mrc", "b.mrc"]\nnumbers = [1, 2]',
    ),
    "E313": Code(
        "The number is possible and makes no sense here.",
        "The message says what would.",
        'rule = "best-fraction"\nvalue = 90',
        'rule = "best-fraction"\nvalue = 0.9',
    ),
    "E314": Code(
        "There is nothing to do.",
        "Add what the project is for.",
        'kind = "selection" without [[filters]]',
        '[[filters]]\nby = "distance"\ndistance_A = 50',
    ),
    "E315": Code(
        "An expression cannot be understood, or names no column.",
        "Columns, numbers, comparisons, and, or, not.",
        'keep = "cc >"',
        'keep = "cc > 0.2"',
    ),
    "E316": Code("No such symmetry.", "Cn, Dn, T, O, I.", 'symmetry = "6"', 'symmetry = "C6"'),
    "E401": Code(
        "Rows of a table hold numbers that cannot be.",
        "Mend the rows or take them out; the message names the first.",
        "a row with the tag 1.5",
        "a row with the tag 2",
    ),
    "E402": Code(
        "A table without rows, or without any that takes part.",
        "Name another table, or set averaged = 1 (column 3).",
        "averaged = 0 in all rows",
        "averaged = 1 in those to be averaged",
    ),
    "E403": Code(
        "A tag stands in several rows: boxes would have one name.",
        "Give each particle one row; a transform merges tables and numbers anew.",
        "tags 1, 2, 2",
        "tags 1, 2, 3",
    ),
    "E404": Code(
        "Table, marks and catalogue do not speak of the same tomograms.",
        "Choose tomograms in the address, or mend the numbers.",
        'catalogue = "tomos:tomograms"',
        'catalogue = "tomos:tomograms:tomo=[1,3]"',
    ),
    "E405": Code(
        "Pixel sizes differ by more than they may.",
        "Resample, or mend the one that is wrong.",
        "pixel_size_A = 2.7, and 1.35 in the map's header",
        "pixel_size_A = 1.35",
    ),
    "E406": Code(
        "Boxes or maps of different sizes, or a map that is no cube.",
        "Resample, cut or pad it.",
        "a template of 96 px for particles of 192 px",
        "a template of 192 px",
    ),
    "E407": Code(
        "A table does not belong to the particles, weights or averages beside it.",
        "Use the table that was written with them.",
        "a table of 5000 rows for 4000 boxes",
        "the table that was written with the boxes",
    ),
    "E408": Code(
        "Half-sets that share particles, are set already, or are empty on one side.",
        "Select without duplicates first, or divide otherwise.",
        'halves = "parity" for a table with duplicates',
        'halves = "region"',
    ),
    "E409": Code(
        "Marks or a model do not hold what is asked of them.",
        "The message says what they hold.",
        "an ellipsoid through five marks",
        "an ellipsoid through nine marks",
    ),
}
