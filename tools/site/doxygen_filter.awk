# For Doxygen: the signs of equations in comments (<, @, ...) are neither HTML nor commands. Code stays as it is.
{
    at = index($0, "///")
    if (at == 0) { print; next }
    lead = substr($0, at + 3, 1) == "<" ? "///<" : "///"
    comment = substr($0, at + length(lead))
    if (comment ~ /^     /) { print; next }
    n = split(comment, parts, "`")
    comment = ""
    for (k = 1; k <= n; ++k) {
        if (k % 2 == 1) gsub(/[<>@#&\\]/, "\\\\&", parts[k])
        comment = comment (k > 1 ? "`" : "") parts[k]
    }
    print substr($0, 1, at - 1) lead comment
}
