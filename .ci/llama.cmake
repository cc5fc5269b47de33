# Read by llama.cpp's project. Of its libraries, Python needs none of those that its own programs share; they are half of
# the work of a build.
set(LLAMA_BUILD_COMMON OFF)
