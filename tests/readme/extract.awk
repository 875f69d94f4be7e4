# Writes the C++ blocks of a Markdown page to folder/1.cpp, folder/2.cpp, ...
#
#   <!-- before          lines put before the block that follows; seen by the compiler only
#   ...
#   -->
#   ```cpp
#   ...
#   ```
#   <!-- after           lines put after the block
#   ...
#   -->
#   It prints            may stand here
#   ```text              what the program of the block prints, written to folder/1.txt
#   ```
#
# On a page with the line "<!-- one program -->" all blocks are one program, 1.cpp, which prints 1.txt.
#
# A #line of the page precedes each part, so that the compiler's messages point there.

function place(line) { return "#line " line " \"" page "\"\n" }

state == "" && /^<!-- one program -->/ { together = 1; file = folder "/1.cpp"; next }
state == "" && /^<!-- before *$/ { state = "before"; before = place(FNR + 1); next }
state == "" && /^<!-- after *$/  { state = "after"; printf "%s", place(FNR + 1) > file; next }
state == "" && /^```cpp *$/ {
    state = "cpp"
    if (!together || count == 0) file = folder "/" ++count ".cpp"
    printf "%s%s", before, place(FNR + 1) > file
    before = ""
    follows = 1
    next
}
state == "" && /^```text *$/ && follows { state = "text"; printf "" > (folder "/" count ".txt"); next }
state == "" && /^```/ { state = "other"; follows = 0; next }
state == "" && /^It prints$/ { next }
state == "" && NF > 0 { follows = 0 }

(state == "before" || state == "after") && /^-->/ { state = ""; next }
state != "" && /^```/ { state = ""; next }

state == "before" { before = before $0 "\n" }
state == "cpp" || state == "after" { print > file }
state == "text" { print > (folder "/" count ".txt") }

END {
    if (together) printf "%s", before > file
    if (state != "") {
        printf "%s: a block of kind '%s' has no end\n", page, state > "/dev/stderr"
        exit 1
    }
}
