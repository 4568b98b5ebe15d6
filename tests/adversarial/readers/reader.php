<?php
// Answers what PHP makes of a request's body: the fields of a form, or a decoded JSON text.
$type = strtolower(trim(explode(";", $_SERVER["CONTENT_TYPE"] ?? "")[0]));
if (str_contains($type, "json")) {
    $value = json_decode(file_get_contents("php://input"), true, 512);
    $failed = json_last_error() !== JSON_ERROR_NONE;
    echo json_encode($failed ? "(failed)" : $value, JSON_PRESERVE_ZERO_FRACTION);
} else {
    echo json_encode($_POST);
}
