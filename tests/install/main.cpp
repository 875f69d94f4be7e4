#include <polder/version.hpp>
int main(){}
